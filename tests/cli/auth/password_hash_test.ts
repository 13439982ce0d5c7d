import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { hex } from "../../../core/bytes.ts";
import { derive, hashPassword, parsePasswordHash, type PasswordHash } from "../../../cli/auth/password_hash.ts";

/** The salt `SodiumChloride`, and 64 bytes. */
const sodium = "U29kaXVtQ2hsb3JpZGU";
const bytes64 = "A".repeat(86);

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text);
  assert(typeof hash !== "string", `${hash}`);
  return hash;
}

Deno.test("a password gives what RFC 7914, section 12, says", async () => {
  const hash = parsed(`$scrypt$ln=14,r=8,p=1$${sodium}$${bytes64}`);
  assertEquals(new TextDecoder().decode(hash.salt), "SodiumChloride");
  assertEquals(
    hex(await derive("pleaseletmein", hash)),
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2" +
      "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
  );
});

Deno.test("a hash that another program made in the PHC format is understood", async () => {
  const hash = parsed("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E");
  assertEquals(await derive("password", hash), hash.hash);
});

Deno.test("a hash is read as it was made, and no two are the same", async () => {
  const [one, other] = await Promise.all([hashPassword("hunter2"), hashPassword("hunter2")]);
  assertEquals(parsed(one.text), one);
  assertEquals([one.logCost, one.blockSize, one.parallelization], [15, 8, 1]);
  assertEquals([one.salt.length, one.hash.length], [16, 32]);
  assertNotEquals(one.hash, other.hash);
  assertEquals(await derive("hunter2", one), one.hash);
  assertNotEquals(await derive("hunter3", one), one.hash);
  assertNotEquals(await derive("hunter2", other), one.hash);
});

Deno.test("what looks the same is the same password", async () => {
  const hash = parsed(`$scrypt$ln=4,r=8,p=1$${sodium}$${bytes64}`);
  assertEquals(await derive("caf\u00e9", hash), await derive("cafe\u0301", hash));
});

Deno.test("what cannot be the hash of a password is told apart, and never quoted", () => {
  const table: [text: string, fault: string][] = [
    ["", "not the hash of a password: stream passwd makes one"],
    ["hunter2", "not the hash of a password"],
    ["scrypt:32768:8:1:AAAA:AAAA", "not the hash of a password"],
    [`$argon2id$v=19$m=65536,t=3,p=4$${sodium}$${bytes64}`, "not the hash of a password"],
    [`$scrypt$ln=15,r=8,p=1$${sodium}$`, "not the hash of a password"],
    [`$scrypt$ln=15,r=8,p=1$${sodium}$${bytes64}=`, "not the hash of a password"],
    [`$scrypt$ln=15,r=8,p=1$${sodium}$${"A".repeat(41)}`, "not the hash of a password"],
    [`$scrypt$ln=0,r=8,p=1$${sodium}$${bytes64}`, "at least 1"],
    [`$scrypt$ln=15,r=0,p=1$${sodium}$${bytes64}`, "at least 1"],
    [`$scrypt$ln=18,r=8,p=1$${sodium}$${bytes64}`, "ln=18,r=8 takes more than 128 MiB"],
    [`$scrypt$ln=99,r=1,p=1$${sodium}$${bytes64}`, "takes more than 128 MiB"],
    [`$scrypt$ln=15,r=33,p=1$${sodium}$${bytes64}`, "takes more than 128 MiB"],
    [`$scrypt$ln=15,r=8,p=17$${sodium}$${bytes64}`, "p is 17, the most is 16"],
    [`$scrypt$ln=15,r=8,p=1$AAAA$${bytes64}`, "the salt has to have 8 to 64 bytes"],
    [`$scrypt$ln=15,r=8,p=1$${sodium}$AAAA`, "the hash has to have 16 to 64 bytes"],
  ];
  for (const [text, fault] of table) {
    const found = parsePasswordHash(text);
    assert(typeof found === "string", text);
    assertStringIncludes(found, fault);
    assert(!found.includes("hunter2") && !found.includes(sodium));
  }
});

Deno.test("the most costly hash that is taken can be checked", async () => {
  for (const parameters of ["ln=17,r=8,p=1", "ln=10,r=1024,p=1"]) {
    const hash = parsed(`$scrypt$${parameters}$${sodium}$${bytes64}`);
    assertEquals((await derive("password", hash)).length, 64);
  }
});
