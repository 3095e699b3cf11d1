/** What an operator loads with `node --import`: an SDK that exports to OTEL_EXPORTER_OTLP_ENDPOINT. */
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const scheduledDelayMillis = Number(process.env.EXPORT_DELAY_MS ?? 1);
const processor = new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis });
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [processor] }));
