import express from 'express';

const app = express();
app.get('/', (req, res) => res.send('home'));
app.listen(Number(process.env.PORT) || 3000);
