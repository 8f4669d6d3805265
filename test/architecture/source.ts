import ts from 'typescript';
import type { TreeFile } from '../../scripts/tree.ts';

/** A source file and its syntax tree. */
export interface Source extends TreeFile {
  readonly tree: ts.SourceFile;
  readonly lines: readonly string[];
}

/** Parses TypeScript. No types are resolved: one file is enough. */
export function parseSource(file: TreeFile): Source {
  const tree = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ESNext, true);
  return { ...file, tree, lines: file.text.split('\n') };
}

/** Every node of a tree, parents before children. */
export function nodesOf(node: ts.Node): ts.Node[] {
  return [node, ...node.getChildren().flatMap(nodesOf)];
}

/** The line of a node's first character, from 1 on. */
export function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;
}

/** Whether there is a comment on this line or the one above it. */
export function hasCommentAt(source: Source, line: number): boolean {
  return isComment(source.lines[line - 1]) || isComment(source.lines[line - 2]);
}

function isComment(line: string | undefined): boolean {
  return line !== undefined && (/^\s*(?:\*|\/\*)/.test(line) || /(?:^|\s)\/[/*]\s*\S/.test(line));
}
