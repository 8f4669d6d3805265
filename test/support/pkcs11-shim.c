/*
 * A PKCS#11 module that stands in front of another one and misbehaves on demand. It hands out the other's function list
 * with C_Sign and C_Login replaced. What to do wrong stands in the file that SHIM_ORDERS names, looked at on every call:
 *
 *   hang     C_Sign never returns            slow 50   C_Sign takes that many milliseconds longer
 *   wrong    C_Sign flips a bit              crash     C_Sign ends the process
 *   fail 5   C_Sign returns that CKR number  once 5    the same, once
 *   noise    C_Sign writes a lot on standard error
 *   login 160 C_Login returns that CKR number
 *
 * With SHIM_NO_EDDSA in its environment it knows no Ed25519, as most modules do not.
 *
 * The other module is the one that SHIM_MODULE names. Structures as far as they are needed, from PKCS#11 v2.40.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long CK_RV;
typedef unsigned long CK_ULONG;
typedef CK_RV (*any_function)(void);
typedef CK_RV (*sign_function)(CK_ULONG, unsigned char *, CK_ULONG, unsigned char *, CK_ULONG *);
typedef CK_RV (*mechanisms_function)(CK_ULONG, CK_ULONG *, CK_ULONG *);
typedef CK_RV (*login_function)(CK_ULONG, CK_ULONG, unsigned char *, CK_ULONG);

/* CK_FUNCTION_LIST: a version (padded to a pointer), then 68 functions in the order of pkcs11f.h. */
enum { FUNCTIONS = 68, MECHANISMS = 8, LOGIN = 19, SIGN = 44 };
struct function_list {
  unsigned char version[2];
  any_function functions[FUNCTIONS];
};

static struct function_list ours;
static struct function_list *theirs;

static int ordered(const char *word, long *number) {
  char line[64] = "";
  const char *path = getenv("SHIM_ORDERS");
  FILE *file = path ? fopen(path, "r") : NULL;
  if (!file) return 0;
  if (!fgets(line, sizeof line, file)) line[0] = 0;
  fclose(file);
  char said[32] = "";
  long value = 0;
  sscanf(line, "%31s %ld", said, &value);
  if (number) *number = value;
  return strcmp(said, word) == 0;
}

static CK_RV shim_sign(CK_ULONG session, unsigned char *data, CK_ULONG length, unsigned char *signature, CK_ULONG *size) {
  long number = 0;
  if (ordered("hang", NULL)) for (;;) pause();
  if (ordered("noise", NULL))
    for (int line = 0; line < 1000; line++) fprintf(stderr, "\033[2J line %d %0400d\n", line, line);
  if (ordered("crash", NULL)) abort();
  if (ordered("once", &number)) {
    unlink(getenv("SHIM_ORDERS"));
    return (CK_RV)number;
  }
  if (ordered("fail", &number)) return (CK_RV)number;
  if (ordered("slow", &number)) usleep((useconds_t)number * 1000);
  CK_RV result = ((sign_function)theirs->functions[SIGN - 1])(session, data, length, signature, size);
  if (result == 0 && ordered("wrong", NULL)) signature[0] ^= 1;
  return result;
}

static CK_RV shim_login(CK_ULONG session, CK_ULONG user, unsigned char *pin, CK_ULONG length) {
  long number = 0;
  if (ordered("login", &number)) {
    const char *count = getenv("SHIM_LOGINS");
    FILE *file = count ? fopen(count, "a") : NULL;
    if (file) { fputc('x', file); fclose(file); }
    return (CK_RV)number;
  }
  return ((login_function)theirs->functions[LOGIN - 1])(session, user, pin, length);
}

/* A list without numbers 0x1055 and 0x1057; their places are taken by the first one. */
static CK_RV shim_mechanisms(CK_ULONG slot, CK_ULONG *list, CK_ULONG *count) {
  CK_RV result = ((mechanisms_function)theirs->functions[MECHANISMS - 1])(slot, list, count);
  for (CK_ULONG at = 0; result == 0 && list && at < *count; at++)
    if (list[at] == 0x1055 || list[at] == 0x1057) list[at] = list[0];
  return result;
}

CK_RV C_GetFunctionList(struct function_list **list) {
  void *module = dlopen(getenv("SHIM_MODULE"), RTLD_NOW | RTLD_LOCAL);
  CK_RV (*get)(struct function_list **) = module ? (CK_RV (*)(struct function_list **))dlsym(module, "C_GetFunctionList") : NULL;
  if (!get || get(&theirs) != 0) return 5;
  ours = *theirs;
  ours.functions[SIGN - 1] = (any_function)shim_sign;
  ours.functions[LOGIN - 1] = (any_function)shim_login;
  if (getenv("SHIM_NO_EDDSA")) ours.functions[MECHANISMS - 1] = (any_function)shim_mechanisms;
  *list = &ours;
  return 0;
}
