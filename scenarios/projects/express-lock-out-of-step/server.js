const express = require('express');
const helmet = require('helmet');

const app = express();
app.use(helmet());
app.get('/', (req, res) => res.send('home'));
app.listen(process.env.PORT || 3000, '0.0.0.0');
