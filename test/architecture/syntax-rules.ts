import ts from 'typescript';
import { hasCommentAt, lineOf, nodesOf, type Source } from './source.ts';

/** Casts whose reason is not in a comment on their line or the one above (their own or their statement's). */
export function findUnexplainedCasts(source: Source): string[] {
  return nodesOf(source.tree)
    .filter(isCast)
    .flatMap((cast) => {
      const lines = [lineOf(source, cast.type), lineOf(source, cast), lineOf(source, statementOf(cast))];
      const explained = lines.some((line) => hasCommentAt(source, line));
      const type = cast.type.getText(source.tree).replaceAll(/\s+/g, ' ');
      return explained ? [] : [`${source.path}:${lineOf(source, cast)}: cast to ${type} without a reason`];
    });
}

function isCast(node: ts.Node): node is ts.AsExpression | ts.TypeAssertion {
  if (ts.isTypeAssertionExpression(node)) return true;
  return ts.isAsExpression(node) && !ts.isConstTypeReference(node.type);
}

function statementOf(node: ts.Node): ts.Node {
  let at = node;
  while (!ts.isStatement(at) && !ts.isClassElement(at) && !ts.isSourceFile(at)) at = at.parent;
  return at;
}

/** Exports without a name of their own. */
export function findDefaultExports(source: Source): string[] {
  return source.tree.statements
    .filter((statement) => isDefaultExport(statement))
    .map((statement) => `${source.path}:${lineOf(source, statement)}: default export`);
}

function isDefaultExport(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement) || hasModifier(statement, ts.SyntaxKind.DefaultKeyword)) return true;
  if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) return false;
  if (!ts.isNamedExports(statement.exportClause)) return false;
  return statement.exportClause.elements.some((one) => one.name.text === 'default');
}

/**
 * Exports that no sentence explains. Constants one below the other share the sentence above the first, a function's
 * later signatures that of the first.
 */
export function findUndocumentedExports(source: Source): string[] {
  return source.tree.statements.flatMap((statement, index) => {
    if (!hasModifier(statement, ts.SyntaxKind.ExportKeyword) || isDocumented(source, index)) return [];
    return [`${source.path}:${lineOf(source, statement)}: export without a doc sentence`];
  });
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind)
  );
}

function isDocumented(source: Source, index: number): boolean {
  const statement = source.tree.statements[index];
  if (statement === undefined) return false;
  const comments = ts.getLeadingCommentRanges(source.text, statement.getFullStart()) ?? [];
  if (comments.some(({ pos, end }) => /^\/\*\*[\s*]*[A-Za-z`]/.test(source.text.slice(pos, end))))
    return true;
  const above = source.tree.statements[index - 1];
  return above !== undefined && sharesSentence(source, above, statement) && isDocumented(source, index - 1);
}

function sharesSentence(source: Source, above: ts.Statement, own: ts.Statement): boolean {
  if (ts.isFunctionDeclaration(above) && ts.isFunctionDeclaration(own))
    return above.name?.text === own.name?.text;
  const lineAfter = source.tree.getLineAndCharacterOfPosition(above.getEnd()).line + 2;
  return ts.isVariableStatement(above) && ts.isVariableStatement(own) && lineOf(source, own) === lineAfter;
}
