'use client';

export default function Page() {
  const load = () => fetch('http://localhost:4000/items');
  return <button onClick={load}>Load</button>;
}
