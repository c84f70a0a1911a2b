/**
 * The public API as a list of signatures, compared with the committed snapshot.
 * After a change that is meant:
 *
 *     deno test --allow-all tests/repository/api_test.ts --update-snapshots
 */
// deno-lint-ignore-file no-explicit-any -- the JSON of `deno doc --json` has no types
import { fromFileUrl } from "@std/path";
import config from "../../deno.json" with { type: "json" };

/**
 * The shape of the JSON that this file reads; a later Deno may print another.
 */
const KNOWN_VERSION = 2;

const docs = new Map<string, any>();
for (const [subpath, file] of Object.entries(config.exports)) {
  docs.set(subpath, await documentation(file));
}
const ignore = [...docs.values()].some((doc) => doc.version !== KNOWN_VERSION);

for (const [subpath, doc] of docs) {
  const name = `the API of ${config.name}${
    subpath.slice(1)
  } is the committed one`;
  Deno.test({ name, ignore }, async (t) => {
    const [module] = Object.values<any>(doc.nodes);
    await t.assertSnapshot(module.symbols.flatMap(symbol).sort());
  });
}

async function documentation(file: string): Promise<any> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", file],
    cwd: fromFileUrl(new URL("../../", import.meta.url)),
    env: { NO_COLOR: "1" },
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

function symbol({ name, declarations }: any): string[] {
  const exported = declarations.filter((each: any) =>
    each.declarationKind === "export"
  );
  return signatures(exported, (each) => each.def).flatMap(({ kind, def }) => {
    switch (kind) {
      case "function":
        return `function ${name}${callable(def)}`;
      case "variable":
        return `${def.kind} ${name}: ${type(def.tsType)}`;
      case "typeAlias":
        return `type ${name}${typeParams(def)} = ${type(def.tsType)}`;
      case "interface":
        return [
          `interface ${name}${typeParams(def)}${
            list(" extends ", def.extends)
          }`,
          ...members(name, def),
        ];
      case "class":
        return [
          `class ${name}${typeParams(def)}${
            def.extends
              ? ` extends ${def.extends}${typeArguments(def.superTypeParams)}`
              : ""
          }${list(" implements ", def.implements)}`,
          ...members(name, def),
        ];
      default:
        return `${kind} ${name} ${plain(def)}`;
    }
  });
}

function members(owner: string, def: any): string[] {
  const visible = (each: any) => each.accessibility !== "private";
  const modifiers = ({ accessibility, isStatic, readonly }: any) =>
    [
      accessibility === "protected" && "protected ",
      isStatic && "static ",
      readonly && "readonly ",
    ].filter(Boolean).join("");
  return [
    ...signatures((def.constructors ?? []).filter(visible), (each) => each)
      .map((each: any) => `${owner}: new ${callable(each)}`),
    ...(def.callSignatures ?? []).map((each: any) =>
      `${owner}: ${callable(each)}`
    ),
    ...(def.indexSignatures ?? []).map((each: any) =>
      `${owner}: ${modifiers(each)}[${each.params.map(param)}]: ${
        type(each.tsType)
      }`
    ),
    ...(def.properties ?? []).filter(visible).map((each: any) =>
      `${owner}: ${modifiers(each)}${each.name}${optional(each)}: ${
        type(each.tsType)
      }`
    ),
    ...signatures(
      (def.methods ?? []).filter(visible),
      (each) => each.functionDef ?? {},
    )
      .map((each: any) =>
        `${owner}: ${modifiers(each)}${
          each.kind === "method" ? "" : `${each.kind} `
        }` +
        `${each.name}${optional(each)}${callable(each.functionDef ?? each)}`
      ),
  ];
}

/**
 * Without the implementations of overloaded functions, which no caller sees.
 */
function signatures(
  declarations: any[],
  definition: (each: any) => any,
): any[] {
  const overloaded = new Set(
    declarations.filter((each) => !definition(each)?.hasBody).map((each) =>
      each.name
    ),
  );
  return declarations.filter((each) =>
    !definition(each)?.hasBody || !overloaded.has(each.name)
  );
}

function callable(def: any): string {
  const result = def.returnType ?? def.tsType;
  return `${typeParams(def)}(${def.params.map(param).join(", ")})${
    result ? `: ${type(result)}` : ""
  }`;
}

function param(each: any): string {
  if (each.kind === "assign") return param({ ...each.left, optional: true });
  const annotation = each.tsType ? `: ${type(each.tsType)}` : "";
  if (each.kind === "rest") return `...${each.arg.name}${annotation}`;
  // Destructuring of a parameter does not concern the caller.
  return `${each.name ?? "_"}${optional(each)}${annotation}`;
}

function optional(each: any): string {
  return each.optional ? "?" : "";
}

function typeParams({ typeParams: params = [] }: any): string {
  if (params.length === 0) return "";
  const texts = params.map((each: any) =>
    each.name +
    (each.constraint ? ` extends ${type(each.constraint)}` : "") +
    (each.default ? ` = ${type(each.default)}` : "")
  );
  return `<${texts.join(", ")}>`;
}

function typeArguments(types: any[] = []): string {
  return types.length === 0 ? "" : `<${types.map(type).join(", ")}>`;
}

function list(before: string, types: any[] = []): string {
  return types.length === 0 ? "" : before + types.map(type).join(", ");
}

function type(node: any): string {
  const { kind, value, repr } = node ?? { kind: "keyword", repr: "any" };
  switch (kind) {
    case "typeRef":
      return value.typeName + typeArguments(value.typeParams);
    case "literal":
      return value.kind === "string"
        ? JSON.stringify(value.string)
        : value.tsTypes
        ? plain(value)
        : repr;
    case "array":
      return `${type(value)}[]`;
    case "tuple":
      return `[${value.map(type).join(", ")}]`;
    case "union":
      return value.map(type).join(" | ");
    case "intersection":
      return value.map(type).join(" & ");
    case "parenthesized":
      return `(${type(value)})`;
    case "optional":
      return `${type(value)}?`;
    case "rest":
      return `...${type(value)}`;
    case "typeOperator":
      return `${value.operator} ${type(value.tsType)}`;
    case "indexedAccess":
      return `${type(value.objType)}[${type(value.indexType)}]`;
    case "fnOrConstructor":
      return `${value.constructor ? "new " : ""}${
        callable({ params: value.params, typeParams: value.typeParams })
      } => ${type(value.tsType)}`;
    case "typeLiteral":
      return `{ ${
        members("", value).map((each) => each.slice(2)).join("; ")
      } }`;
    case "keyword":
    case "typePredicate":
      return repr;
    default:
      return plain(node);
  }
}

/**
 * For the rare other kinds: the JSON itself, without positions and comments.
 */
function plain(node: any): string {
  return JSON.stringify(
    node,
    (key, value) =>
      ["location", "jsDoc", "repr"].includes(key) ? undefined : value,
  );
}
