import { Hono } from 'hono';

/** The framework alone. */
export const app = new Hono().post('/mcp', async (c) => c.json(await c.req.json()));
