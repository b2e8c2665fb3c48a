import redis
from flask import Flask

app = Flask(__name__)
queue = redis.Redis()


@app.get("/length")
def length():
    return {"length": queue.llen("jobs")}
