require 'sinatra'
require 'redis'

get '/queue' do
  Redis.new.llen('jobs').to_s
end
