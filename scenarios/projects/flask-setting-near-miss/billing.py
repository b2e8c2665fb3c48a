import os

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/plans")
def plans():
    return jsonify({"pro": os.environ["STRIPE_PRICE_PRO"]})
