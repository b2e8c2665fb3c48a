document.body.textContent = 'ready';
