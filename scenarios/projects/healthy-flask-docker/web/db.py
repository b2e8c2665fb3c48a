def init(app):
    app.extensions["db"] = app.config["DATABASE_URL"]
