import Config

config :chat, ChatWeb.Endpoint,
  http: [port: String.to_integer(System.get_env("PORT") || "4000")],
  secret_key_base: System.get_env("SECRET_KEY_BASE", "xK9vGq2LrT5mZ8nB4wY7cJ1hD3fS6aP0")
