import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/rates")
async def rates():
    async with httpx.AsyncClient() as client:
        answer = await client.get("https://rates.example.com/today")
    return answer.json()
