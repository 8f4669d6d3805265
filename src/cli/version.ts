/** What a support case begins with: `mintmark 0.1.0, Node 24.21.0, SQLite 3.51.2`. */
export async function versionText(): Promise<string> {
  const { VERSION } = await import('../daemon/status.ts');
  const { sqliteVersion } = await import('../storage/database.ts');
  return `mintmark ${VERSION}, Node ${process.versions.node}, SQLite ${sqliteVersion()}`;
}
