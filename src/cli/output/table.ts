/** A column of a table. */
export interface Column<T> {
  /** Title of the column. */
  readonly title: string;
  /** Returns the text of a row's cell. */
  readonly cell: (row: T) => string;
  /** Whether cells are aligned to the right. */
  readonly right?: true;
}

const GAP = "  ";

/**
 * Returns the lines of a table. The last column is not padded, so text with
 * wide characters (names, URLs) belongs there.
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

/** Returns a line for each fact, with the values aligned. */
export function layOutFacts(
  facts: readonly (readonly [label: string, value: string])[],
): string[] {
  const width = Math.max(...facts.map(([label]) => label.length));
  return facts.map(([label, value]) => label.padEnd(width) + GAP + value);
}
