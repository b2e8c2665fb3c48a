from flask import Flask, redirect

app = Flask(__name__)
LINKS = {"docs": "https://docs.example.com"}


@app.get("/health")
def health():
    return {"ok": True}


@app.get("/<name>")
def follow(name):
    return redirect(LINKS[name])
