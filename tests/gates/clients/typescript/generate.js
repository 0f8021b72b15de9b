// Writes the types of the specification (first argument) into a file (second one). openapi-typescript makes a list that
// holds lists of its own kind a property that refers to itself, which TypeScript refuses; a generic alias may do so.
import fs from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [source, target] = process.argv.slice(2);
const spec = JSON.parse(fs.readFileSync(source, "utf8"));

const literal = (value) =>
  value === null ? ts.factory.createNull()
  : typeof value === "number" ? ts.factory.createNumericLiteral(value)
  : ts.factory.createStringLiteral(value);
const keyword = (type) =>
  ts.factory.createKeywordTypeNode(
    type === "boolean" ? ts.SyntaxKind.BooleanKeyword : ts.SyntaxKind.NumberKeyword,
  );

function scalars(forms) {
  return forms.flatMap((form) =>
    form.enum ? form.enum.map((value) => ts.factory.createLiteralTypeNode(literal(value)))
    : "const" in form ? [ts.factory.createLiteralTypeNode(literal(form.const))]
    : form.type === "null" ? [ts.factory.createLiteralTypeNode(literal(null))]
    : [keyword(form.type)],
  );
}

/** The type of lists of `forms` and of such lists, and of the forms themselves where `alone`. */
function nested(forms, alone) {
  return ts.factory.createTypeReferenceNode(alone ? "Nested" : "NestedList", [
    ts.factory.createUnionTypeNode(scalars(forms)),
  ]);
}

function transform(schema, { path }) {
  const self = ({ $ref }) => $ref !== undefined && $ref === path;
  if (schema.items?.oneOf?.some(self)) return nested(schema.items.oneOf.filter((form) => !self(form)), false);
  if (schema.oneOf?.some((form) => form.items !== undefined && self(form.items)))
    return nested(schema.oneOf.filter((form) => form.items === undefined), true);
  return undefined;
}

const inject = "type Nested<T> = T | Nested<T>[];\ntype NestedList<T> = (T | NestedList<T>)[];\n";
fs.writeFileSync(target, astToString(await openapiTS(spec, { transform, inject })));
