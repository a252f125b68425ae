// What JavaScript makes of JSON. Each line is a JSON string that holds a document; the answer is a line:
// [as JSON.stringify writes it, the same with the numbers that JavaScript cannot hold as they came, the path of the
// first of these or null].

/** Strings and numbers, wherever they stand in a document. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** The whole number that a number is, exactly; null for a fraction. */
function wholeNumber(literal) {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal);
  const digits = (whole + fraction).replace(/0+$/, "");
  if (/^0*$/.test(digits)) return 0n;
  const power = Number(exponent) - fraction.length + (whole + fraction).length - digits.length;
  return power < 0 ? null : BigInt(sign + digits) * 10n ** BigInt(power);
}

/** Whether it overflows, or comes out as another whole number. Fractions are approximate in any binary form. */
function isLost(literal) {
  const value = Number(literal);
  if (!Number.isFinite(value)) return true;
  const exactly = wholeNumber(literal);
  return exactly !== null && exactly !== wholeNumber(JSON.stringify(value));
}

/** The document as it would be if each lost number were text, and that text taken out of its quotes at the end. */
function keepingLost(text) {
  const lost = [];
  const marked = text.replace(TOKENS, (token) => {
    if (token.startsWith('"') || !isLost(token)) return token;
    return `"@@${lost.push(token) - 1}@@"`;
  });
  return JSON.stringify(JSON.parse(marked)).replace(/"@@(\d+)@@"/g, (_, n) => lost[n]);
}

/** The path of the first lost number; keys as they are written. */
function firstLost(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g);
  let at = 0;
  function walk(path) {
    const token = tokens[at++];
    if (token === "[" || token === "{") {
      const end = token === "[" ? "]" : "}";
      for (let n = 0; tokens[at] !== end; n++) {
        if (tokens[at] === ",") at++;
        let step = `[${n}]`;
        if (token === "{") {
          step = `.${tokens[at].slice(1, -1)}`;
          at += 2;
        }
        const found = walk(path + step);
        if (found !== null) return found;
      }
      at++;
      return null;
    }
    return /^[-\d]/.test(token) && isLost(token) ? path : null;
  }
  return walk("");
}

// Lines end at line feeds alone: a module for reading lines would also end them at U+2028, which JSON may hold.
let rest = "";
process.stdin.setEncoding("utf8");
for await (const piece of process.stdin) {
  const lines = (rest + piece).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const text = JSON.parse(line);
    process.stdout.write(`${JSON.stringify([JSON.stringify(JSON.parse(text)), keepingLost(text), firstLost(text)])}\n`);
  }
}
