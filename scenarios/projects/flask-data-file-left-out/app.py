import json

from flask import Flask

app = Flask(__name__)
with open("data/rates.json") as file:
    RATES = json.load(file)


@app.get("/rates")
def rates():
    return RATES
