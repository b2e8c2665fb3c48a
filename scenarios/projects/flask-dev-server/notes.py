from flask import Flask, request

app = Flask(__name__)
notes = []


@app.get("/notes")
def all_notes():
    return notes


@app.post("/notes")
def add_note():
    notes.append(request.get_json())
    return "", 201
