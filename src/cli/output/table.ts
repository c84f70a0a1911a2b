/** A column of a table. */
export interface Column<T> {
  /** Its title. */
  readonly title: string;
  /** What it says of a row. */
  readonly cell: (row: T) => string;
  /** Whether its cells end, rather than begin, under each other. */
  readonly right?: true;
}

const GAP = "  ";

/**
 * Lays out rows under their titles. The last column is as wide as it likes, so
 * what may hold wide characters (names, URLs) belongs there.
 */
export function layOut<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
): string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
  ];
  const widths = columns.map((_, i) =>
    cells.reduce((width, line) => Math.max(width, line[i]?.length ?? 0), 0)
  );
  return cells.map((line) =>
    columns.map(({ right }, i) => {
      const cell = line[i] ?? "";
      if (right) return cell.padStart(widths[i] ?? 0);
      return i === columns.length - 1 ? cell : cell.padEnd(widths[i] ?? 0);
    }).join(GAP)
  );
}

/** Lays out facts, a line each, under each other. */
export function layOutFacts(
  facts: readonly (readonly [label: string, value: string])[],
): string[] {
  const width = Math.max(...facts.map(([label]) => label.length));
  return facts.map(([label, value]) => label.padEnd(width) + GAP + value);
}
