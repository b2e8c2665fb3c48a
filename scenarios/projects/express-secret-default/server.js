const express = require('express');
const jwt = require('jsonwebtoken');

const secret = process.env.JWT_SECRET || 'keyboard cat';
const app = express();
app.post('/token', (req, res) => res.json({ token: jwt.sign({ sub: 'u' }, secret) }));
app.listen(process.env.PORT || 3000);
