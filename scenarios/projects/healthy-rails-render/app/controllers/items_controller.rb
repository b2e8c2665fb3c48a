class ItemsController < ApplicationController
  def index = render(json: [])
  def show = render(json: { id: params[:id] })
end
