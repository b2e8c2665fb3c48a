import os

from flask import Flask

app = Flask(__name__)
app.secret_key = os.environ["SESSION_SECRET"]


@app.get("/")
def home():
    return "home"
