const express = require('express');
const users = require('./routes/users');

const app = express();
app.use(express.json());
app.get('/health', (req, res) => res.json({ ok: true }));
app.use('/api/users', users);
app.listen(process.env.PORT || 3000);
