/** The token that this display was admitted with. */

/** Headers with the token in them, where there is one. */
export function authorised(headers: Record<string, string>): Record<string, string> {
  const token = sessionStorage.getItem("token") ?? localStorage.getItem("token");
  return token === null ? headers : { ...headers, authorization: `Bearer ${token}` };
}
