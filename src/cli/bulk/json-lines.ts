import { CliError, EXIT } from '../exit-code.ts';

/** A line of text and its number, from 1. */
export interface TextLine {
  readonly text: string;
  readonly line: number;
}

/** Longer than any row of a licence. */
const LINE_CHARACTERS = 256 * 1024;

/**
 * The lines of a text that are not blank.
 * @throws CliError when one is longer than 256 KB
 */
export async function* textLines(texts: AsyncIterable<string>): AsyncGenerator<TextLine> {
  let begun = '';
  let line = 0;
  for await (const text of texts) {
    const lines = `${begun}${text}`.split('\n');
    begun = lines.pop() ?? '';
    for (const whole of lines) {
      line += 1;
      if (whole.trim() !== '') yield { text: bounded(whole, line), line };
    }
    bounded(begun, line + 1);
  }
  if (begun.trim() !== '') yield { text: begun, line: line + 1 };
}

function bounded(text: string, line: number): string {
  if (text.length <= LINE_CHARACTERS) return text;
  throw new CliError(
    EXIT.usage,
    `line ${String(line)} is longer than 256 KB`,
    'Write one JSON object on each line.',
  );
}
