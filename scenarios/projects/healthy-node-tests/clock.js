export const pad = (n) => String(n).padStart(2, '0');
export const show = (minutes) => `${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
