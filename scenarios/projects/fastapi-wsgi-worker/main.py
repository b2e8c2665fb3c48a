from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health():
    return {"ok": True}


@app.post("/orders")
async def order(order: dict):
    return order
