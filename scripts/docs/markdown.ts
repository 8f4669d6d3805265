/** A Markdown table. Cells are text: pipes are escaped, line breaks become spaces. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A generated page: title, where it comes from, and its paragraphs. */
export function page(title: string, source: string, paragraphs: readonly string[]): string {
  const origin = `<!-- Written from ${source} by \`npm run docs:generate\`; change it there. -->`;
  return `${[`# ${title}`, origin, ...paragraphs].join('\n\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll(/\s*\n\s*/g, ' ');
}
