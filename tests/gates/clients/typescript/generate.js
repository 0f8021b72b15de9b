// Writes the types of the specification (first argument) into a file (second one). openapi-typescript passes over if, then
// and else, by which the specification describes lists of their own kind: those become a generic alias.
import fs from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [source, target] = process.argv.slice(2);
const spec = JSON.parse(fs.readFileSync(source, "utf8"));

const literal = (value) =>
  value === null ? ts.factory.createNull()
  : typeof value === "number" ? ts.factory.createNumericLiteral(value)
  : ts.factory.createStringLiteral(value);
const KEYWORDS = { boolean: "BooleanKeyword", number: "NumberKeyword", integer: "NumberKeyword", string: "StringKeyword" };

function scalars(forms) {
  return forms.flatMap((form) =>
    form.enum ? form.enum.map((value) => ts.factory.createLiteralTypeNode(literal(value)))
    : "const" in form ? [ts.factory.createLiteralTypeNode(literal(form.const))]
    : form.type === "null" ? [ts.factory.createLiteralTypeNode(literal(null))]
    : [ts.factory.createKeywordTypeNode(ts.SyntaxKind[KEYWORDS[form.type]])],
  );
}

/** The type of lists of the schema's scalars and of such lists, and of the scalars themselves where `alone`. */
function nested(scalar, alone) {
  return ts.factory.createTypeReferenceNode(alone ? "Nested" : "NestedList", [
    ts.factory.createUnionTypeNode(scalars(scalar.oneOf ?? [scalar])),
  ]);
}

function transform(schema, { path }) {
  const isSelf = (one) => one?.$ref !== undefined && one.$ref === path;
  if (isSelf(schema.items?.then)) return nested(schema.items.else, false);
  if (isSelf(schema.then?.items)) return nested(schema.else, true);
  return undefined;
}

const inject = "type Nested<T> = T | Nested<T>[];\ntype NestedList<T> = (T | NestedList<T>)[];\n";
fs.writeFileSync(target, astToString(await openapiTS(spec, { transform, inject })));
