// What is wrong now, first.
import { h } from "../dom.js";

export default { title: "Overview", pages: [], render: () => h("p", {}, "The views are to the left.") };
