const express = require('express');
const cors = require('cors');

const app = express();
app.use(cors());
app.get('/items', (req, res) => res.json([]));
app.listen(process.env.PORT || 3000);
