class Api::ItemsController < ApplicationController
  def index = render(json: [])
  def create = head(:created)
end
