import fc from 'fast-check';

/** What is read of a JSON Schema as `tools/list` publishes it. */
export type Schema = Readonly<{
  type?: string;
  enum?: readonly unknown[];
  properties?: Readonly<Record<string, Schema>>;
  additionalProperties?: Schema | boolean;
  required?: readonly string[];
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}>;

/** Longer than any bound on a text, and short enough that thousands are quick. */
const HUGE_CHARACTERS = 40_000;
const MAX_ITEMS = 5;

const hugeText = fc
  .constantFrom('a', ' ', '.', '*', '\n', '`', '\u0000', '\ud800', '😀', '"', '\\')
  .map((unit) => unit.repeat(HUGE_CHARACTERS));
const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 1, arbitrary: hugeText },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', ' ', '__proto__', 'constructor', '..', '../../x', 'https://127.0.0.1/', 'data:,', '{{x}}', '\r\nX: y'),
  },
);
const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, 1, -1, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, 5e-324));
/** A value of any type, whatever the schema says. */
const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 2, arbitrary: text },
  { weight: 2, arbitrary: number },
  { weight: 1, arbitrary: fc.constantFrom(null, true, false, [], {}, [[]], [{}]) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3_000 }).map((count) => Array.from({ length: count }, () => ({}))) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 200 }).map(nested) },
);

/** An object in an object, so many deep. */
export function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < depth; level++) value = level % 2 ? { a: value } : [value];
  return value;
}

/** Values that the schema allows or nearly allows, and now and then something else altogether. */
export function argumentsOf(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: near(schema) }, { weight: 1, arbitrary: anyValue });
}

function near(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'string':
      return nearText(schema);
    case 'number':
    case 'integer':
      return nearNumber(schema);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(argumentsOf(schema.items ?? {}), { maxLength: MAX_ITEMS });
    case 'object':
      return nearObject(schema);
    default:
      return anyValue;
  }
}

function nearText({ minLength = 0, maxLength = 200 }: Schema): fc.Arbitrary<string> {
  const edges = [minLength - 1, minLength, maxLength, maxLength + 1].filter((length) => length >= 0 && length <= HUGE_CHARACTERS);
  return fc.oneof(text, fc.constantFrom(...edges.map((length) => 'x'.repeat(length))), fc.constantFrom('gpt-6-luna', '1024x1024', 'auto'));
}

function nearNumber({ minimum = -1_000, maximum = 1_000, type }: Schema): fc.Arbitrary<number> {
  const edges = fc.constantFrom(minimum, maximum, minimum - 1, maximum + 1, minimum - 1e-9, maximum + 1e-9);
  const inside =
    type === 'integer'
      ? fc.integer({ min: Math.ceil(minimum), max: Math.floor(maximum) })
      : fc.double({ min: minimum, max: maximum, noNaN: true });
  return fc.oneof({ weight: 3, arbitrary: inside }, { weight: 1, arbitrary: edges }, { weight: 1, arbitrary: number });
}

const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text }),
  fc.record({
    type: fc.constant('image_url'),
    image_url: fc.record({ url: text, detail: fc.constantFrom('low', 'x') }, { requiredKeys: [] }),
  }),
  anyValue,
);
const namedSchema = fc.record({ name: text, schema: fc.dictionary(text, fc.jsonValue()), strict: fc.boolean() }, { requiredKeys: [] });
/** Forms of arguments that are taken, but stand in no published schema. */
const FORMS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  content: fc.array(part, { maxLength: MAX_ITEMS }),
  voice: fc.record({ id: text }),
  json_schema: fc.oneof(namedSchema, fc.record({ type: fc.constant('json_schema'), json_schema: namedSchema })),
  stop: text,
  seconds: number.map(String),
};

function nearField(name: string, schema: Schema): fc.Arbitrary<unknown> {
  const form = Object.hasOwn(FORMS, name) ? FORMS[name] : undefined;
  return form ? fc.oneof(argumentsOf(schema), form) : argumentsOf(schema);
}

function nearObject({ properties = {}, required = [], additionalProperties }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, nearField(name, property)]));
  const known = fc.record(fields, { requiredKeys: required.filter((name) => name in fields) });
  const extra = typeof additionalProperties === 'object' ? argumentsOf(additionalProperties) : anyValue;
  const withExtra = fc
    .tuple(known, fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'toString')), extra, { maxKeys: 4 }))
    .map(([a, b]) => ({ ...a, ...b }));
  return fc.oneof({ weight: 6, arbitrary: known }, { weight: typeof additionalProperties === 'object' ? 6 : 1, arbitrary: withExtra });
}
