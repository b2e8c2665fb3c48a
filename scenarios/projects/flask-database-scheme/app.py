import os

from flask import Flask
from sqlalchemy import create_engine, text

app = Flask(__name__)
engine = create_engine(os.environ["DATABASE_URL"])


@app.get("/count")
def count():
    with engine.connect() as connection:
        return {"count": connection.execute(text("select 1")).scalar()}
