import os

from flask import Flask, jsonify, request

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
items = []


@app.get("/health")
def health():
    return jsonify(ok=True)


@app.get("/api/items")
def all_items():
    return jsonify(items)


@app.post("/api/items")
def add_item():
    items.append(request.get_json())
    return "", 201
