SELECT b"c" FROM d; SELECT B'01' "e", x"f;" FROM "g";
