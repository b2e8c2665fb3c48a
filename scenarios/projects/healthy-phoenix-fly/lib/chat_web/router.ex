defmodule ChatWeb.Router do
  use ChatWeb, :router

  scope "/api", ChatWeb do
    get "/ping", PingController, :show
  end
end
