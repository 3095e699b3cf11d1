import { app } from './hono-app.ts';

export default app;
