// node parse_logql.mjs EXPRESSION: 1 where Grafana's grammar finds an error.
import { parser } from "@grafana/lezer-logql";

const expression = process.argv[2];
let errors = 0;
parser.parse(expression).iterate({
  enter: (node) => {
    if (node.type.isError) {
      errors += 1;
      console.log(`${expression.slice(0, node.from)} <-- here`);
    }
  },
});
process.exit(errors ? 1 : 0);
