/** Which of the rows that are due: `limit` of them after the first `skip`. */
export interface Part {
  readonly limit: number;
  readonly skip: number;
}
