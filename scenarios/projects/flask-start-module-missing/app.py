from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/health")
def health():
    return jsonify(ok=True)


@app.get("/api/items")
def items():
    return jsonify([{"id": 1, "name": "lamp"}])
