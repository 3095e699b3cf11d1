/** What is read of a published schema: they are flat, without unions or references. */
export type PlainSchema = Readonly<{
  type?: string;
  enum?: readonly unknown[];
  properties?: Readonly<Record<string, PlainSchema>>;
  additionalProperties?: PlainSchema | boolean;
  required?: readonly string[];
  items?: PlainSchema;
}>;

/** What a tool declares of its arguments: their schema, and for other names the arguments they mean. */
export type DeclaredArguments = Readonly<{ schema: PlainSchema; aliases: Readonly<Record<string, string>> }>;

/** What is taken as a number: no exponents, no hexadecimal, no more digits than a double holds. */
const NUMBER = /^[+-]?\d{1,15}(\.\d{1,15})?$/;

/**
 * Rewrites what models and clients commonly get wrong to what they mean, wherever there is only one meaning; all else
 * is left to the strict check. `null` and `""` leave an optional argument unset.
 */
export function normalizeArguments(args: unknown, { schema, aliases }: DeclaredArguments): unknown {
  if (!isRecord(args)) return args;
  const isUnset = (name: string, value: unknown) => (value === null || value === '') && isOptional(name, schema);
  const set = Object.entries(resolveAliases(args, aliases)).filter(([name, value]) => !isUnset(name, value));
  return normalize(Object.fromEntries(set), schema);
}

/** An alias that is set beside the argument it stands for remains, as an unknown argument. */
function resolveAliases(args: Readonly<Record<string, unknown>>, aliases: DeclaredArguments['aliases']): Readonly<Record<string, unknown>> {
  let resolved = args;
  for (const [alias, name] of Object.entries(aliases)) {
    if (!Object.hasOwn(resolved, alias)) continue;
    const { [alias]: value, ...others } = resolved;
    if (isBlank(value)) resolved = others;
    else if (isBlank(others[name])) resolved = { ...others, [name]: value };
  }
  return resolved;
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isOptional(name: string, { properties = {}, required = [] }: PlainSchema): boolean {
  return Object.hasOwn(properties, name) && !required.includes(name);
}

function normalize(value: unknown, schema: PlainSchema): unknown {
  if (schema.type === 'object') return isRecord(value) ? normalizeObject(value, schema) : value;
  if (schema.type === 'array') return normalizeArray(value, schema.items ?? {});
  return typeof value === 'string' ? normalizeText(value, schema) : value;
}

/** In nested objects `""` may be meant as text, such as the content of a message. */
function normalizeObject(value: Readonly<Record<string, unknown>>, schema: PlainSchema): unknown {
  const isUnset = (name: string, child: unknown) =>
    (child === null || (child === '' && propertyOf(schema, name).type !== 'string')) && isOptional(name, schema);
  const entries = Object.entries(value).filter(([name, child]) => !isUnset(name, child));
  return Object.fromEntries(entries.map(([name, child]) => [name, normalize(child, propertyOf(schema, name))]));
}

function normalizeArray(value: unknown, items: PlainSchema): unknown {
  if (Array.isArray(value)) return value.map((item) => normalize(item, items));
  return typeof value === 'string' && items.type === 'string' ? [value] : value;
}

function normalizeText(value: string, schema: PlainSchema): unknown {
  const text = value.trim();
  if (schema.enum) return schema.enum.includes(text.toLowerCase()) ? text.toLowerCase() : value;
  if ((schema.type === 'integer' || schema.type === 'number') && NUMBER.test(text)) return Number(text);
  if (schema.type === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  return value;
}

function propertyOf({ properties = {}, additionalProperties }: PlainSchema, name: string): PlainSchema {
  if (Object.hasOwn(properties, name)) return properties[name] ?? {};
  return typeof additionalProperties === 'object' ? additionalProperties : {};
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
