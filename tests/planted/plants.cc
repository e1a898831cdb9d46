#include "base/planted.h"

namespace gavel {

Bug plantedBug = Bug::none;

}  // namespace gavel
