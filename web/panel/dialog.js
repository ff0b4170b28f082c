// A dialog above everything else of the page, closed by Esc, by its button or by a click beside it; it holds any content.

import { Component, createRef, html, IconButton } from "./ui.js";

/** @typedef {{label: string, onClose: () => void, class?: string, children?: any, onKeyDown?: (event: KeyboardEvent) => void}} Props */

/** @extends {Component<Props>} */
export class Dialog extends Component {
  /** @param {Props} props */
  constructor(props) {
    super(props);
    this.place = createRef();
  }

  componentDidMount() {
    const place = this.place.current;
    place.showModal();
    // Not the Close button: a key meant for the image, or a word typed at once, would be lost on it.
    (place.querySelector("form input[type=text]") ?? place.firstElementChild).focus();
  }

  render() {
    const { label, onClose, class: name = "", children, onKeyDown } = this.props;
    const cancel = (/** @type {Event} */ event) => {
      event.preventDefault();
      onClose();
    };
    const beside = (/** @type {Event} */ event) => event.target === this.place.current && onClose();
    return html`<dialog ref=${this.place} class=${name} aria-label=${label} onCancel=${cancel} onClick=${beside} onKeyDown=${onKeyDown}>
      <div class="dialog-inside" tabIndex="-1">
        <header><h2>${label}</h2><${IconButton} icon="close" label="Close" onClick=${onClose} /></header>
        ${children}
      </div>
    </dialog>`;
  }
}
