#include "wire/terms.h"

#include "base/text-view.h"

namespace gavel::wire {

auction::Terms readTerms(schema::Terms::Reader reader) {
  auction::Terms terms;
  terms.item = view(reader.getItem());
  terms.duration = reader.getDuration();
  terms.startingPrice = reader.getStartingPrice();
  terms.reserve = reader.getReserve();
  auto increment = reader.getIncrement();
  switch (increment.which()) {
    case schema::Increment::ABSOLUTE:
      terms.increment = {auction::Increment::Kind::absolute, increment.getAbsolute()};
      break;
    case schema::Increment::PERCENT:
      terms.increment = {auction::Increment::Kind::percent, increment.getPercent()};
      break;
  }
  auto softClose = reader.getSoftClose();
  terms.softClose = {softClose.getWindow(), softClose.getExtension(), softClose.getHardEnd()};
  return terms;
}

void writeTerms(const auction::Terms& terms, schema::Terms::Builder builder) {
  copyText(terms.item, builder.initItem(sizeOf(terms.item)));
  builder.setDuration(terms.duration);
  builder.setStartingPrice(terms.startingPrice);
  builder.setReserve(terms.reserve);
  auto increment = builder.initIncrement();
  switch (terms.increment.kind) {
    case auction::Increment::Kind::absolute:
      increment.setAbsolute(terms.increment.value);
      break;
    case auction::Increment::Kind::percent:
      increment.setPercent(static_cast<std::uint32_t>(terms.increment.value));
      break;
  }
  auto softClose = builder.initSoftClose();
  softClose.setWindow(terms.softClose.window);
  softClose.setExtension(terms.softClose.extension);
  softClose.setHardEnd(terms.softClose.hardEnd);
}

}  // namespace gavel::wire
