'use client';

export default function Page() {
  const load = () => fetch(`${process.env.NEXT_PUBLIC_API_URL}/items`);
  return <button onClick={load}>Load</button>;
}
