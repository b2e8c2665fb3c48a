require 'sinatra'

get '/health' do
  'ok'
end

post '/echo' do
  request.body.read
end
